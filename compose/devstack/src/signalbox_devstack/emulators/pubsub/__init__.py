"""A local Pub/Sub server: google.pubsub.v1 Publisher and Subscriber over gRPC, stored in one SQLite file.

It behaves as Google's own clients expect. Not supported: schemas, IAM, REST, OIDC tokens, BigQuery and Cloud
Storage subscriptions.
"""
