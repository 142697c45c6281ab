-- The first statement of every transaction that writes here: writers take turns.
SELECT number FROM revision FOR UPDATE
