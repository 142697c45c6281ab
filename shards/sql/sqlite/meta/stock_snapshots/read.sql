SELECT activity_id, award_id, total, units_left, open_units, issued
FROM stock_picture
ORDER BY activity_id, award_id
