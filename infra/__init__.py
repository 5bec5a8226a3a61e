"""What runs on AWS, as Pulumi components. Imports nothing from the other folders and never talks to AWS itself."""
