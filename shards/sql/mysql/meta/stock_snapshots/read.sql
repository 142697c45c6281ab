SELECT activity_id, good_kind, good_id, total, units_left, open_units, issued
FROM stock_picture
ORDER BY activity_id, good_kind, good_id
