-- The whole file is locked already: SQLite has one writer.
SELECT number FROM revision
