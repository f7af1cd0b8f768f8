"""Ways to read samples for training: other people's, each as its documentation says, and ours."""
