-- The key when_stock_away of campaign files was renamed. It appears as this key only, or in comments about it.
UPDATE campaign SET file_text = replace(file_text, 'when_stock_away', 'when_stock_unavailable')
WHERE instr(file_text, 'when_stock_away') > 0;
