-- [[user, activity, request], ...] -> nobody: who writes the file writes it alone.
SELECT key FROM json_each($1) WHERE false
