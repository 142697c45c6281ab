DELETE FROM stock_picture
