-- A lane finds out by its order ids whether a failed commit was made.
DROP TABLE stock_grant;
