-- [activity, page]: the users of a page.
SELECT b.user_id
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    page        BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN blacklist_user AS b FORCE INDEX (blacklist_user_page)
    ON b.activity_id = j.activity_id AND b.page = j.page
