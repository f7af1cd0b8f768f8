"""What the program is measured against: the same job, done the way people do it first."""
