-- What is to be done at Evolution, and how far it is. A command is written in the transaction that changes the instance's
-- state, so that a crash between the decision and the act loses nothing.

CREATE TABLE instance_commands (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL REFERENCES whatsapp_instances (session_id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL,                    -- domain/command.rs `Kind`
    number     TEXT,                                -- for a pairing code; cleared when the command ends
    status     TEXT    NOT NULL DEFAULT 'pending',  -- pending → sent → confirmed | unconfirmed
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,          -- how often it was begun
    asked_at   INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    TEXT,                                -- a statusReason, when it is unconfirmed
    advice     TEXT                                 -- what an operator has to do
);
-- However many ask at once, it is done once.
CREATE UNIQUE INDEX instance_commands_open ON instance_commands (session_id, kind, COALESCE(number, ''))
    WHERE status IN ('pending', 'sent');
CREATE INDEX instance_commands_due ON instance_commands (due_at) WHERE status = 'pending';
CREATE INDEX instance_commands_by_session ON instance_commands (session_id, kind, id);

ALTER TABLE whatsapp_instances ADD COLUMN auto_reconnect INTEGER NOT NULL DEFAULT 1;
ALTER TABLE whatsapp_instances ADD COLUMN reconnect_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE whatsapp_instances ADD COLUMN last_reconnect_at INTEGER;
-- Removed here and at Evolution. The row stays for as long as Evolution may still re-send what it had to say.
ALTER TABLE whatsapp_instances ADD COLUMN removed_at INTEGER;
CREATE INDEX whatsapp_instances_by_removal ON whatsapp_instances (removed_at) WHERE removed_at IS NOT NULL;
