-- A lane finds out by its order ids whether a commit that failed has landed.
DROP TABLE stock_grant;
