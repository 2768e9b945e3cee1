"""What jobs have held and used: recorded by attempt and hour, and summed up."""
