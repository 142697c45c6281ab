-- A row when the key is there that makes one order of each place of a call.
SELECT 1
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = 'raffle_order_{table}'
  AND index_name = 'raffle_order_request' AND non_unique = 0
HAVING GROUP_CONCAT(column_name ORDER BY seq_in_index) = 'user_id,request_id,seq'
