"""Related pins and more like a board: what the graph finds, as far as who asks may see it."""

from tests.services.pin.api.conftest import Api
from tests.waiting import until


def test_pins_that_are_kept_together_are_related(api: Api) -> None:
    maker, keepers = api.person(), [api.person() for _ in range(3)]
    home = maker.board()
    chair, table, plane = (
        maker.pin(maker.board(name=name), title=name) for name in ("Chair", "Table", "Plane")
    )
    boards = [keeper.board() for keeper in keepers]
    for keeper, board in zip(keepers, boards, strict=True):
        for pin in (chair, table):
            keeper.post(f"/v1/pins/{pin['id']}/saves", {"board_id": board["id"]})
    path = f"/v1/pins/{chair['id']}/related"
    related = until(lambda: maker.get(path).json()["items"])
    assert related[0] == table
    assert plane["id"] not in {each["id"] for each in related}

    maker.post(f"/v1/pins/{chair['id']}/saves", {"board_id": home["id"]})
    more = until(lambda: maker.get(f"/v1/boards/{home['id']}/more?limit=5").json()["items"])
    assert more[0]["id"] == table["id"]
    assert chair["id"] not in {each["id"] for each in more}

    maker.patch(f"/v1/boards/{table['board_id']}", {"secret": True}, if_match="*")
    # At once, whether or not the graph knows already.
    assert table["id"] not in {each["id"] for each in keepers[0].get(path).json()["items"]}


def test_of_what_is_secret_nothing_is_told(api: Api) -> None:
    owner = api.person()
    board = owner.board(secret=True)
    pin = owner.pin(board)
    for path in (f"/v1/pins/{pin['id']}/related", f"/v1/boards/{board['id']}/more"):
        assert owner.get(path).status_code == 200
        assert api.person().get(path).status_code == 404
        assert api.client.get(path).status_code == 404
