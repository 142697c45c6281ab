-- [[claimed]]. Never lowers it.
UPDATE id_run SET claimed = max(claimed, (SELECT value ->> 0 FROM json_each($1)))
