"""The conversion job: reads every source of GLaMM's training data and writes shards."""
