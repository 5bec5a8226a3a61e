"""Code that AWS Lambda runs. Nothing here is imported by a Pulumi program: only its text is uploaded."""
