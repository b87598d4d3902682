-- The last number given on a channel is its last row's. Only where rows are dropped it is written down, so that no number
-- is given twice.
ALTER TABLE channels RENAME COLUMN head TO dropped_head;
