-- The newest first.
SELECT at_ms, who, what, detail, why
FROM audit_trail
ORDER BY entry_id DESC
LIMIT 200
