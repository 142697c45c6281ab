SELECT servers, segments FROM stock_layout
