from core.charts.faithfulness import curves


def _method(name: str) -> dict:
    return {"method": name, "curves": {"deletion": [0.9, 0.4, 0.1], "insertion": [0.1, 0.6, 0.9]}}


def test_a_curve_has_its_methods_colour_whatever_the_order_and_chance_is_dotted():
    shares = [0.0, 0.5, 1.0]
    first = curves([_method("shap"), _method("lime"), _method("random")], shares, "deletion")
    other = curves([_method("lime"), _method("shap")], shares, "insertion")
    colours = {line.name: line.line.color for line in first.data}
    assert colours["SHAP values"] == other.data[1].line.color
    assert len(set(colours.values())) == 3
    assert [line.line.dash for line in first.data] == ["solid", "solid", "dot"]
    assert list(first.data[0].y) == [0.9, 0.4, 0.1]
    assert list(other.data[0].y) == [0.1, 0.6, 0.9]
    assert "hidden" in first.layout.xaxis.title.text
    assert "shown" in other.layout.xaxis.title.text
