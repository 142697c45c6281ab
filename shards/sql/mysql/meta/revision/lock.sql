-- First in every transaction that writes here: writers take turns.
SELECT number FROM revision FOR UPDATE
