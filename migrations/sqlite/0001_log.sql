-- The event log, its channels, and the instances it is about. All times are milliseconds since the epoch, UTC.

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- A dense sequence each. `kind` is user, org or admin; `head` is the last number given.
CREATE TABLE channels (
    id   INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    head INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, name)
);

-- One WhatsApp connection per user. The first ten columns are source 004's; `session_id` is source 003's.
CREATE TABLE whatsapp_instances (
    session_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    instance_name   TEXT    NOT NULL UNIQUE,
    user_id         TEXT    NOT NULL UNIQUE,
    organization_id TEXT,
    status          TEXT    NOT NULL DEFAULT 'disconnected',
    is_connected    INTEGER NOT NULL DEFAULT 0,
    phone_number    TEXT,
    qr_code         TEXT,              -- the image on show, cleared when it expires
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    status_reason   TEXT,
    connected_at    INTEGER,
    qr              TEXT,              -- JSON: hash, text, pairing code, count, expiry of the code on show
    state           TEXT    NOT NULL DEFAULT '{}',  -- JSON: domain/lifecycle.rs `State`
    wake_at         INTEGER            -- when `state` wants a tick
);
CREATE INDEX whatsapp_instances_by_org ON whatsapp_instances (organization_id, session_id) WHERE organization_id IS NOT NULL;
CREATE INDEX whatsapp_instances_by_wake ON whatsapp_instances (wake_at) WHERE wake_at IS NOT NULL;

-- Append-only. `id` is commit order; `user_channel`, `org_channel` are rows of `channels`.
CREATE TABLE events (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, also after retention emptied the table
    user_channel  INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    org_channel   INTEGER,
    org_seq       INTEGER,
    admin_seq     INTEGER,
    instance_name TEXT    NOT NULL,
    event         TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    emitted_at    INTEGER NOT NULL,
    late          INTEGER NOT NULL DEFAULT 0,
    folded        INTEGER NOT NULL DEFAULT 0,
    identity      BLOB,                -- the key in dedupe_messages that goes when this row goes
    outcome       TEXT,
    body          BLOB    NOT NULL
);
CREATE UNIQUE INDEX events_by_user ON events (user_channel, seq);
CREATE UNIQUE INDEX events_by_org ON events (org_channel, org_seq) WHERE org_channel IS NOT NULL;
CREATE UNIQUE INDEX events_by_admin ON events (admin_seq) WHERE admin_seq IS NOT NULL;

-- Identities remembered as long as their log row.
CREATE TABLE dedupe_messages (
    key     BLOB    NOT NULL PRIMARY KEY,
    seq     INTEGER NOT NULL,
    content INTEGER NOT NULL
) WITHOUT ROWID;

-- Identities remembered 48 hours, clustered by day so that new keys are neighbours and old days go as a range.
CREATE TABLE dedupe_recent (
    day     INTEGER NOT NULL,
    key     BLOB    NOT NULL,
    seq     INTEGER NOT NULL,
    content INTEGER NOT NULL,
    PRIMARY KEY (day, key)
) WITHOUT ROWID;

-- Authentic webhooks of instances nobody owns yet.
CREATE TABLE quarantine (
    id            INTEGER PRIMARY KEY,
    instance_name TEXT    NOT NULL,
    identity      BLOB    NOT NULL,
    event         TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    issued_at     INTEGER,
    body          BLOB    NOT NULL,
    UNIQUE (instance_name, identity)
);

-- What could not be processed, with the reason.
CREATE TABLE dead_letters (
    id            INTEGER PRIMARY KEY,
    at            INTEGER NOT NULL,
    reason        TEXT    NOT NULL,    -- a code of domain/error.rs
    detail        TEXT    NOT NULL,
    path          TEXT    NOT NULL,
    instance_name TEXT,
    event         TEXT,
    digest        BLOB    NOT NULL UNIQUE,
    size_bytes    INTEGER NOT NULL,
    body          BLOB    NOT NULL     -- at most 64 KiB, secrets masked
);

INSERT INTO channels (kind, name) VALUES ('admin', '');
