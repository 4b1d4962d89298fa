"""The page of alarms: a user's own sensors over time with what the model expected, the score, alarms and labels."""
