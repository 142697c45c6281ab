-- A row when the key is there that makes one order of each place of a call.
SELECT 1
FROM pragma_index_list('raffle_order_{table}') AS i
WHERE i.name = 'raffle_order_request_{table}' AND i."unique" = 1 AND i.partial = 0
  AND (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
      = 'user_id,request_id,seq'
