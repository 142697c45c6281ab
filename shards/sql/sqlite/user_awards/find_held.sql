-- [[user, activity, award], ...] -> none: a file has one writer.
SELECT key FROM json_each($1) WHERE false
