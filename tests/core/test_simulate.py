from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from core.errors import BadInput
from core.simulate import SCHEMES, demonstration, inject, simulate_shop, write_demonstration
from core.simulate.demo import SOURCE
from core.simulate.host import family_of, read_host
from core.simulate.injecting import plant
from core.simulate.minting import mint
from core.simulate.telling import Planting, harvest

REES46 = Path(__file__).parents[3] / "shared" / "data" / "rees46_shop" / "events.csv.gz"
CANONICAL = {source: name for name, source in SOURCE.items()}


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return simulate_shop(seed=3, actors=150)


@pytest.fixture(scope="module")
def demo() -> tuple[pd.DataFrame, pd.DataFrame]:
    log, truth = demonstration()
    return log.rename(columns=CANONICAL), truth


@pytest.fixture(scope="module")
def rees46() -> pd.DataFrame:
    if not REES46.exists():
        pytest.skip(f"the real log {REES46} is absent")
    log = pd.read_csv(REES46, dtype=dict.fromkeys(["product_id", "category_id", "user_id"], str))
    log["event_time"] = pd.to_datetime(log["event_time"].str.removesuffix(" UTC"), utc=True)
    return log.rename(
        columns={
            "event_time": "ts",
            "event_type": "action",
            "product_id": "item",
            "price": "amount",
            "user_id": "actor_id",
            "user_session": "session_id",
        }
    )


def planted(events, scheme, *, seed=1, size=12, camouflage=0.3):
    return inject(events, scheme, rng=np.random.default_rng(seed), size=size, camouflage=camouflage)


def by_count(events: pd.DataFrame) -> pd.DataFrame:
    """Counts per actor: what must not be enough."""
    actors = events.groupby("actor_id")
    actions = events.groupby(["actor_id", "action"]).size().unstack(fill_value=0)
    return actions.assign(
        events=actors.size(),
        sessions=actors["session_id"].nunique(),
        items=actors["item"].nunique(),
    )


def by_relation(events: pd.DataFrame) -> pd.DataFrame:
    """Counts and pauses, sharing, haste on the same item and price against the item's usual."""
    e = events.assign(second=events["ts"].astype("int64") // 10**6)
    e["pause"] = np.log1p(e.groupby(["actor_id", "session_id"])["second"].diff())
    e["dear"] = np.log(e["amount"] / e.groupby("item")["amount"].transform("median"))
    for column in ("device", "ip"):
        e[column + "_actors"] = e.groupby(column)["actor_id"].transform("nunique")
        e[column + "_new"] = e["second"] - e.groupby(["actor_id", column])["second"].transform(
            "min"
        )
    e["hour"] = e["second"] // 7200
    for action in ("view", "order", "review"):
        acts = e[e["action"] == action]
        e[action + "_crowd"] = acts.groupby(["item", "hour"])["actor_id"].transform("nunique")
    before = e.groupby(["actor_id", "session_id"])["item"].shift()
    moved = before.notna() & e["item"].notna() & (before != e["item"])
    e["upwards"] = (e["item"] > before).astype(float).where(moved)
    facts = ["pause", "dear", "device_actors", "ip_actors", "device_new", "ip_new", "upwards"]
    facts += ["view_crowd", "order_crowd", "review_crowd"]
    sessions = e.groupby(["actor_id", "session_id"])[facts].agg(["mean", "min", "max"])
    sessions.columns = ["_".join(name) for name in sessions.columns]
    actors = sessions.groupby("actor_id").agg(["max", "min"])
    actors.columns = ["_".join(name) for name in actors.columns]
    return by_count(events).join(actors)


def held_out_average_precision(features: pd.DataFrame, abusive: pd.Index) -> float:
    y = features.index.isin(abusive).astype(int)
    ids = pd.util.hash_array(features.index.to_numpy(dtype=object))
    test = ids % 3 == 0
    model = HistGradientBoostingClassifier(random_state=0, max_iter=80, max_leaf_nodes=15)
    with threadpool_limits(1):  # so little data is slower on more cores
        model.fit(features[~test], y[~test])
    return float(average_precision_score(y[test], model.predict_proba(features[test])[:, 1]))


# --- the shop


def test_the_same_seed_gives_the_same_shop_and_another_seed_another():
    first = simulate_shop(seed=5, actors=40)
    pd.testing.assert_frame_equal(first, simulate_shop(seed=5, actors=40))
    assert not first.equals(simulate_shop(seed=6, actors=40))


def test_the_shop_is_by_time_in_utc_and_has_every_step_of_a_visit(shop):
    assert str(shop["ts"].dt.tz) == "UTC"
    assert shop["ts"].is_monotonic_increasing
    steps = {"login", "search", "view", "cart", "order", "pay", "review"}
    assert set(shop["action"]) == steps
    assert shop.groupby("session_id")["actor_id"].nunique().max() == 1
    assert shop.loc[shop["action"] == "search", "query"].notna().all()
    assert shop.loc[shop["action"] == "review", "rating"].between(1, 5).all()
    assert shop.loc[shop["action"] == "order", "amount"].gt(0).all()


def test_honest_customers_share_addresses_use_coupons_and_come_in_the_evening(shop):
    assert (shop.groupby("ip")["actor_id"].nunique() > 1).mean() > 0.1
    assert shop.loc[shop["action"] == "order", "coupon"].notna().mean() > 0.15
    hour = shop["ts"].dt.hour
    assert hour.between(18, 21).sum() > 5 * hour.between(2, 5).sum()
    assert (shop.loc[shop["action"] == "review", "rating"] == 5).mean() > 0.45


def test_a_shop_without_customers_is_refused():
    with pytest.raises(BadInput, match="0 actors over 14 days"):
        simulate_shop(seed=1, actors=0)


# --- planting


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_planted_repeats_by_seed_and_keeps_the_log_s_form(shop, scheme):
    events, truth = planted(shop, scheme)
    again, truth_again = planted(shop, scheme)
    pd.testing.assert_frame_equal(events, again)
    pd.testing.assert_frame_equal(truth, truth_again)
    pd.testing.assert_series_equal(events.dtypes, shop.dtypes)
    assert list(truth.columns) == ["actor_id", "scheme"]
    assert truth["actor_id"].nunique() == len(truth) == 12
    assert set(truth["scheme"]) == {scheme}
    assert truth["actor_id"].isin(events["actor_id"]).all()
    assert events["ts"].is_monotonic_increasing
    assert events["ts"].max() <= shop["ts"].max()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_column_holds_a_value_that_the_log_would_not_hold(shop, scheme):
    events, _ = planted(shop, scheme)
    for column in ("action", "item", "amount", "category", "coupon", "rating", "query"):
        assert set(events[column].dropna()) <= set(shop[column].dropna()), column
    missing = shop.groupby("action")["item"].apply(lambda items: items.isna().all())
    assert (
        events.groupby("action")["item"].apply(lambda items: items.isna().all()) == missing
    ).all()
    for column in ("actor_id", "session_id", "device", "ip"):
        digits = r"\d+" if column == "ip" else r"[0-9a-f]"
        shape = shop[column].str.replace(digits, "x", regex=True)
        told = events[column].str.replace(digits, "x", regex=True)
        assert set(told) <= set(shape), column


def test_new_actors_are_new_and_the_honest_ones_stay_as_they_were(shop):
    events, truth = planted(shop, "fake_orders")
    assert not truth["actor_id"].isin(shop["actor_id"]).any()
    left = events[~events["actor_id"].isin(truth["actor_id"])]
    order = ["ts", "actor_id", "session_id", "action", "item"]
    pd.testing.assert_frame_equal(
        left.sort_values(order, ignore_index=True), shop.sort_values(order, ignore_index=True)
    )


def test_a_takeover_changes_the_later_behaviour_of_an_actor_that_was_there(shop):
    events, truth = planted(shop, "account_takeover", camouflage=0.0)
    for actor in truth["actor_id"]:
        before = shop[shop["actor_id"] == actor].reset_index(drop=True)
        after = events[events["actor_id"] == actor].reset_index(drop=True)
        kept = after["session_id"].isin(before["session_id"])
        assert kept.any()
        assert after.loc[~kept, "ts"].min() >= after.loc[kept, "ts"].min()
        assert not after.loc[~kept, "device"].isin(before["device"]).any()


def test_a_brushing_ring_praises_and_orders_few_items_within_the_hour(shop):
    events, truth = planted(shop, "fake_orders", size=6, camouflage=0.0)
    orders = events[(events["action"] == "order") & events["actor_id"].isin(truth["actor_id"])]
    assert orders["item"].nunique() <= 6
    assert orders.groupby("item")["actor_id"].nunique().max() >= 3


def test_coupon_abusers_share_devices_and_one_code(shop):
    events, truth = planted(shop, "coupon_abuse", size=5, camouflage=0.0)
    orders = events[(events["action"] == "order") & events["actor_id"].isin(truth["actor_id"])]
    assert orders["coupon"].nunique() == 1
    assert orders.groupby("device")["actor_id"].nunique().max() >= 2


def test_price_manipulation_moves_away_from_what_the_item_costs(shop):
    events, truth = planted(shop, "price_manipulation", camouflage=0.0)
    usual = shop.groupby("item")["amount"].median()
    orders = events[(events["action"] == "order") & events["actor_id"].isin(truth["actor_id"])]
    honest = shop[shop["action"] == "order"]
    away = np.log(orders["amount"] / orders["item"].map(usual)).abs().mean()
    assert away > 2 * np.log(honest["amount"] / honest["item"].map(usual)).abs().mean()


@settings(max_examples=12, deadline=None)
@given(
    scheme=st.sampled_from(sorted(SCHEMES)),
    size=st.integers(1, 30),
    camouflage=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_size_and_camouflage_plants_that_many_who_all_act(shop, scheme, size, camouflage, seed):
    events, truth = planted(shop, scheme, seed=seed, size=size, camouflage=camouflage)
    assert truth["actor_id"].nunique() == size
    assert set(truth["actor_id"]) <= set(events["actor_id"])
    assert events[["actor_id", "session_id", "ts", "action"]].notna().all(axis=None)
    assert events.groupby("session_id")["actor_id"].nunique().max() == 1


# --- other logs


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("timed", [True, False])
def test_a_log_of_actor_time_and_action_alone_is_enough(shop, scheme, timed):
    bare = shop[["actor_id", "ts", "action"]].assign(action="event")
    if not timed:
        bare["ts"] = pd.NaT
    events, truth = planted(bare, scheme)
    assert list(events.columns) == ["actor_id", "ts", "action"]
    assert set(events["action"]) == {"event"}
    assert events["ts"].notna().all() == timed
    assert truth["actor_id"].isin(events["actor_id"]).all()


def test_columns_of_an_import_are_left_out_and_row_ids_are_drawn_anew(shop):
    numbers = np.arange(len(shop))
    imported = shop.assign(
        sequence_id=shop["session_id"],
        row=numbers,
        position=0,
        event_id=[f"e{n:07d}" for n in numbers],
    )
    events, _ = planted(imported, "scraper")
    assert set(shop.columns) | {"event_id"} == set(events.columns)
    assert events["event_id"].is_unique


def test_times_keep_the_log_s_resolution_and_become_utc(shop):
    daily = shop.assign(ts=shop["ts"].dt.tz_localize(None).dt.floor("D"))
    events, _ = planted(daily, "click_farm")
    assert (events["ts"] == events["ts"].dt.floor("D")).all()
    assert str(events["ts"].dt.tz) == "UTC"


@pytest.mark.realdata
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_real_log_lends_its_own_words_items_and_prices(rees46, scheme):
    events, truth = planted(rees46, scheme, size=20)
    assert len(truth) == 20
    pd.testing.assert_series_equal(events.dtypes, rees46.dtypes)
    for column in ("action", "item", "amount", "category_code", "brand"):
        assert set(events[column].dropna()) <= set(rees46[column].dropna()), column
    abusive = events[events["actor_id"].isin(truth["actor_id"])]
    pairs = rees46[["item", "category_id"]].drop_duplicates()
    assert len(abusive.merge(pairs, on=["item", "category_id"])) >= len(abusive)
    expected = {"click_farm": "view", "scraper": "view"}.get(scheme, "purchase")
    assert (abusive["action"] == expected).any()


def test_actions_are_told_by_their_names():
    names = {
        "view": "view", "interaction item rating": "view", "clickout item": "order",
        "add_to_cart": "cart", "purchase": "order", "payment": "pay", "rating": "review",
        "change of sort order": "search", "sign-in": "login", "remove_from_cart": "undo",
        "E5": "other",
    }  # fmt: skip
    assert {name: family_of(name) for name in names} == names


def test_new_ids_have_the_shape_of_the_old_and_never_repeat_one():
    old = ["c123456", "c654321"]
    rng = np.random.default_rng(1)
    new = mint(old, 200, set(old), rng)
    assert len(set(new) | set(old)) == 202
    assert all(len(name) == 7 and name[0] == "c" and name[1:].isdigit() for name in new)
    assert mint(["10.0.0.7"], 1, set(), rng)[0].startswith("10.0.0.")
    assert len(set(mint(["1", "2"], 30, {"1", "2"}, rng))) == 30


# --- refusals


def test_an_unknown_scheme_is_refused_with_the_accepted_ones(shop):
    with pytest.raises(BadInput, match="'phishing'") as refused:
        planted(shop, "phishing")
    assert all(scheme in str(refused.value) for scheme in SCHEMES)


@pytest.mark.parametrize("size", [0, -1, 151])
def test_a_size_that_is_not_possible_is_refused(shop, size):
    with pytest.raises(BadInput, match=rf"Size {size} .* 150 actors"):
        planted(shop, "scraper", size=size)


def test_more_takeovers_than_accounts_with_a_past_are_refused(shop):
    once = shop.drop_duplicates("actor_id")
    with pytest.raises(BadInput, match="0 actors with enough of a past"):
        planted(once, "account_takeover", size=1)


@pytest.mark.parametrize("camouflage", [-0.1, 1.1, float("nan")])
def test_camouflage_that_is_no_share_is_refused(shop, camouflage):
    with pytest.raises(BadInput, match="from 0 to 1"):
        planted(shop, "scraper", camouflage=camouflage)


def test_a_frame_that_is_no_log_is_refused_with_what_is_missing(shop):
    with pytest.raises(BadInput, match="ts, action missing"):
        planted(shop[["actor_id", "item"]], "scraper")
    with pytest.raises(BadInput, match="no events"):
        planted(shop.iloc[:0], "scraper")
    with pytest.raises(BadInput, match="type str"):
        planted(shop.assign(ts=shop["ts"].astype(str)), "scraper")
    with pytest.raises(BadInput, match="no actor or no action"):
        planted(shop.assign(action=None), "scraper")


# --- the demonstration


def test_the_demonstration_is_bounded_and_has_all_schemes(demo):
    events, truth = demo
    assert len(events) <= 60_000
    assert events["session_id"].nunique() <= 3_000
    assert 900 <= events["actor_id"].nunique() <= 1_200
    assert set(truth["scheme"]) == set(SCHEMES)
    assert 0.10 < len(truth) / events["actor_id"].nunique() < 0.14


def test_the_demonstration_is_written_as_a_log_and_a_truth_apart(tmp_path, demo):
    log_path, truth_path = write_demonstration(tmp_path / "demo")
    log, truth = pd.read_csv(log_path), pd.read_csv(truth_path)
    assert list(log.columns) == list(SOURCE.values())
    assert "scheme" not in log
    assert len(log) == len(demo[0])
    assert truth["actor_id"].isin(log["user_id"]).all()
    pd.testing.assert_frame_equal(truth, demo[1], check_dtype=False)


def test_no_single_count_tells_the_abusers(demo):
    counts = by_count(demo[0])
    abusive = counts.index.isin(demo[1]["actor_id"])
    best = max(
        average_precision_score(abusive, sign * counts[name]) for name in counts for sign in (1, -1)
    )
    assert best < 0.35


def test_counts_are_not_enough_but_time_and_relations_tell_most(demo):
    events, truth = demo
    abusive = pd.Index(truth["actor_id"])
    counts = held_out_average_precision(by_count(events), abusive)
    relations = held_out_average_precision(by_relation(events), abusive)
    assert 0.3 < counts < 0.68
    assert relations > 0.75
    assert counts < 0.8 * relations


def test_camouflage_makes_abuse_harder_to_tell():
    host = read_host(simulate_shop(seed=4, actors=500))
    found = []
    for camouflage in (0.0, 0.9):
        planting = Planting(host, np.random.default_rng(1))
        for scheme in SCHEMES:
            plant(planting, scheme, size=14, camouflage=camouflage)
        events, truth = harvest(planting)
        abusive = pd.Index(truth["actor_id"])
        found.append(held_out_average_precision(by_relation(events), abusive))
    assert found[0] > found[1] + 0.15
