-- Say here, in a sentence, why this change is made.

-- Write the statements below, each ended by a semicolon. Nothing stands after the last one, not even a comment.
