"""What an API server checks of an object: its schema, and the rules that no schema can say."""
