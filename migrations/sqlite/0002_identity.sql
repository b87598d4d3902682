-- Single-use codes and refusals. Secrets are kept as SHA-256 only.

CREATE TABLE login_codes (
    digest     BLOB    PRIMARY KEY,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tickets (
    digest     BLOB    PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    grant_json TEXT    NOT NULL
) WITHOUT ROWID;

-- A user's tokens issued before `before` are refused.
CREATE TABLE revocations (
    user_id TEXT    PRIMARY KEY,
    before  INTEGER NOT NULL
) WITHOUT ROWID;
