-- [activity, version, file_text, published_at_ms, published_by]
INSERT INTO campaign (activity_id, version, file_text, published_at_ms, published_by)
VALUES ($1 ->> 0, $1 ->> 1, $1 ->> 2, $1 ->> 3, $1 ->> 4)
