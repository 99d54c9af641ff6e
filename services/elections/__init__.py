"""Elections of branch committees as they were held on paper: drafts, the rules, the record, and the posts that follow (F028)."""
