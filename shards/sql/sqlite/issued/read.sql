SELECT activity_id, award_id, issued FROM award_issued
