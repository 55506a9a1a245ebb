"""Types of the raw protobuf classes, as far as the server uses them."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.internal.containers import (
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
    ScalarMap,
)
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

class PubsubMessage(Message):
    data: bytes
    message_id: str
    ordering_key: str
    @property
    def attributes(self) -> ScalarMap[str, str]: ...
    @property
    def publish_time(self) -> Timestamp: ...

class Topic(Message):
    name: str
    state: int
    @property
    def labels(self) -> ScalarMap[str, str]: ...
    @property
    def message_retention_duration(self) -> Duration: ...

class PushConfig(Message):
    class NoWrapper(Message):
        write_metadata: bool

    push_endpoint: str
    @property
    def no_wrapper(self) -> NoWrapper: ...

class DeadLetterPolicy(Message):
    dead_letter_topic: str
    max_delivery_attempts: int

class RetryPolicy(Message):
    @property
    def minimum_backoff(self) -> Duration: ...
    @property
    def maximum_backoff(self) -> Duration: ...

class ExpirationPolicy(Message):
    @property
    def ttl(self) -> Duration: ...

class Subscription(Message):
    name: str
    topic: str
    ack_deadline_seconds: int
    retain_acked_messages: bool
    enable_message_ordering: bool
    filter: str
    detached: bool
    enable_exactly_once_delivery: bool
    state: int
    @property
    def labels(self) -> ScalarMap[str, str]: ...
    @property
    def push_config(self) -> PushConfig: ...
    @property
    def message_retention_duration(self) -> Duration: ...
    @property
    def expiration_policy(self) -> ExpirationPolicy: ...
    @property
    def dead_letter_policy(self) -> DeadLetterPolicy: ...
    @property
    def retry_policy(self) -> RetryPolicy: ...

class Snapshot(Message):
    name: str
    topic: str
    def __init__(self, *, name: str = ..., topic: str = ..., labels: dict[str, str] = ...) -> None: ...
    @property
    def expire_time(self) -> Timestamp: ...
    @property
    def labels(self) -> ScalarMap[str, str]: ...

class ReceivedMessage(Message):
    ack_id: str
    delivery_attempt: int
    def __init__(
        self, *, ack_id: str = ..., message: PubsubMessage = ..., delivery_attempt: int = ...
    ) -> None: ...
    @property
    def message(self) -> PubsubMessage: ...

class _Paged(Message):
    project: str
    topic: str
    page_size: int
    page_token: str

class ListTopicsRequest(_Paged): ...
class ListSubscriptionsRequest(_Paged): ...
class ListSnapshotsRequest(_Paged): ...
class ListTopicSubscriptionsRequest(_Paged): ...
class ListTopicSnapshotsRequest(_Paged): ...

class ListTopicsResponse(Message):
    def __init__(self, *, topics: list[Topic] = ..., next_page_token: str = ...) -> None: ...

class ListSubscriptionsResponse(Message):
    def __init__(self, *, subscriptions: list[Subscription] = ..., next_page_token: str = ...) -> None: ...

class ListSnapshotsResponse(Message):
    def __init__(self, *, snapshots: list[Snapshot] = ..., next_page_token: str = ...) -> None: ...

class ListTopicSubscriptionsResponse(Message):
    def __init__(self, *, subscriptions: list[str] = ..., next_page_token: str = ...) -> None: ...

class ListTopicSnapshotsResponse(Message):
    def __init__(self, *, snapshots: list[str] = ..., next_page_token: str = ...) -> None: ...

class GetTopicRequest(Message):
    topic: str

class DeleteTopicRequest(Message):
    topic: str

class UpdateTopicRequest(Message):
    @property
    def topic(self) -> Topic: ...
    @property
    def update_mask(self) -> FieldMask: ...

class DetachSubscriptionRequest(Message):
    subscription: str

class DetachSubscriptionResponse(Message): ...

class PublishRequest(Message):
    topic: str
    @property
    def messages(self) -> RepeatedCompositeFieldContainer[PubsubMessage]: ...

class PublishResponse(Message):
    def __init__(self, *, message_ids: list[str] = ...) -> None: ...

class GetSubscriptionRequest(Message):
    subscription: str

class DeleteSubscriptionRequest(Message):
    subscription: str

class UpdateSubscriptionRequest(Message):
    @property
    def subscription(self) -> Subscription: ...
    @property
    def update_mask(self) -> FieldMask: ...

class ModifyPushConfigRequest(Message):
    subscription: str
    @property
    def push_config(self) -> PushConfig: ...

class PullRequest(Message):
    subscription: str
    return_immediately: bool
    max_messages: int

class PullResponse(Message):
    def __init__(self, *, received_messages: list[ReceivedMessage] = ...) -> None: ...

class AcknowledgeRequest(Message):
    subscription: str
    @property
    def ack_ids(self) -> RepeatedScalarFieldContainer[str]: ...

class ModifyAckDeadlineRequest(Message):
    subscription: str
    ack_deadline_seconds: int
    @property
    def ack_ids(self) -> RepeatedScalarFieldContainer[str]: ...

class StreamingPullRequest(Message):
    subscription: str
    stream_ack_deadline_seconds: int
    client_id: str
    max_outstanding_messages: int
    max_outstanding_bytes: int
    protocol_version: int
    @property
    def ack_ids(self) -> RepeatedScalarFieldContainer[str]: ...
    @property
    def modify_deadline_seconds(self) -> RepeatedScalarFieldContainer[int]: ...
    @property
    def modify_deadline_ack_ids(self) -> RepeatedScalarFieldContainer[str]: ...

class StreamingPullResponse(Message):
    class AcknowledgeConfirmation(Message):
        def __init__(self, *, ack_ids: list[str] = ..., invalid_ack_ids: list[str] = ...) -> None: ...

    class ModifyAckDeadlineConfirmation(Message):
        def __init__(self, *, ack_ids: list[str] = ..., invalid_ack_ids: list[str] = ...) -> None: ...

    class SubscriptionProperties(Message):
        def __init__(
            self, *, exactly_once_delivery_enabled: bool = ..., message_ordering_enabled: bool = ...
        ) -> None: ...

    def __init__(
        self,
        *,
        received_messages: list[ReceivedMessage] = ...,
        acknowledge_confirmation: AcknowledgeConfirmation | None = ...,
        modify_ack_deadline_confirmation: ModifyAckDeadlineConfirmation | None = ...,
        subscription_properties: SubscriptionProperties = ...,
    ) -> None: ...

class CreateSnapshotRequest(Message):
    name: str
    subscription: str
    @property
    def labels(self) -> ScalarMap[str, str]: ...

class GetSnapshotRequest(Message):
    snapshot: str

class DeleteSnapshotRequest(Message):
    snapshot: str

class UpdateSnapshotRequest(Message):
    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def update_mask(self) -> FieldMask: ...

class SeekRequest(Message):
    subscription: str
    snapshot: str
    @property
    def time(self) -> Timestamp: ...

class SeekResponse(Message): ...
