"""A local Pub/Sub server: google.pubsub.v1 Publisher and Subscriber over gRPC, journalled to one SQLite file.

It behaves as Google's own clients need it to. Not here: schemas, IAM, REST, OIDC tokens, BigQuery and Cloud Storage subscriptions.
"""
