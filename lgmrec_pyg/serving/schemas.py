r"""What requests and responses hold, and how much of it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_K, MAX_IDS, MAX_LENGTH = 1000, 10_000, 512
MAX_MODALITIES, MAX_WIDTH = 16, 65_536


def _integral(value: Any) -> Any:
    # In JSON, 7.0 is an integer as well.
    is_integral = isinstance(value, float) and value.is_integer()
    return int(value) if is_integral else value


Name = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH, strict=True)]
Number = Annotated[int, Field(strict=True), BeforeValidator(_integral)]
Id = Annotated[Name | Number, Field(union_mode='left_to_right')]
Ids = Annotated[list[Id], Field(max_length=MAX_IDS)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Row = Annotated[list[Float], Field(min_length=1, max_length=MAX_WIDTH)]
K = Annotated[int, Field(ge=1, le=MAX_K, strict=True), BeforeValidator(_integral)]


class Body(BaseModel):
    r"""What all requests have in common."""

    model_config = ConfigDict(extra='forbid')

    k: K = Field(20, description='How many to return; there are fewer if few are left')


class Known(Body):
    r"""What requests about known ids have in common."""

    exclude: Ids = Field([], description='Not to return; unknown ids do not matter')
    unknown: Literal['error', 'popular'] = Field(
        'error',
        description='Whether unknown ids are an error, or left out, where popular '
        'items stand in for what nothing is known about',
    )


class UserRequest(Known):
    r"""Asks for the items with the highest scores for a known user."""

    user: Id = Field(description='The id of the user', examples=['ann', 7])
    items: Annotated[Ids, Field(min_length=1)] | None = Field(
        None, description='The candidates; all items if left out'
    )
    include_seen: bool = Field(
        False, strict=True, description='Whether what the user has may be returned'
    )


class HistoryRequest(Known):
    r"""Asks for the items for someone unknown, by what they have."""

    items: Annotated[Ids, Field(min_length=1)] = Field(
        description='The ids of the items that they have', examples=[['B00A1', 'B00B2']]
    )
    include_seen: bool = Field(
        False, strict=True, description='Whether these may be returned'
    )


class ItemRequest(Known):
    r"""Asks for the items that are like a known one."""

    item: Id = Field(description='The id of the item', examples=['B00A1', 7])


class NewItemRequest(Body):
    r"""Asks for the items that are like a new one, and the users for it."""

    features: Annotated[
        dict[Name, Row], Field(min_length=1, max_length=MAX_MODALITIES)
    ] = Field(
        description='The raw features by modality, of which some may be left out; all '
        'zeros count as left out',
        examples=[{'text': [0.1, -1.2, 0.3]}],
    )


class Scored(BaseModel):
    r"""An id with its score."""

    id: str | int
    score: float


class Items(BaseModel):
    r"""Ranked items, the best first."""

    items: list[Scored]


class ItemsAndUsers(Items):
    r"""The items that are like a new one by cosine similarity, and the users for whom
    it has the highest scores.
    """

    users: list[Scored]


class Health(BaseModel):
    r"""That the service is up, and what it answers from."""

    status: Literal['ok'] = 'ok'
    num_users: int
    num_items: int
    index: Literal['exact', 'faiss']
    modalities: dict[str, int] = Field(
        description='The widths of the features of new items; none if none are served'
    )


class Problem(BaseModel):
    r"""What is wrong."""

    detail: str


Card = dict[str, Any]
