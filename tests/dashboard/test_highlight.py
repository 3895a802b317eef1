from dashboard.highlight import mark_snippet, mark_terms


def test_a_snippet_keeps_its_marks_and_what_was_escaped() -> None:
    snippet = "a <mark>gate</mark> &amp; &lt;b&gt;"

    assert mark_snippet(snippet) == snippet


def test_no_other_tag_of_a_snippet_is_obeyed() -> None:
    shown = mark_snippet('<script>alert(1)</script><mark onclick="x">y</mark >')

    assert shown == '&lt;script>alert(1)&lt;/script>&lt;mark onclick="x">y&lt;/mark >'


def test_words_with_the_same_stem_are_marked() -> None:
    assert mark_terms("The gates gated a gate.", "gate") == (
        "The <mark>gates</mark> <mark>gated</mark> a <mark>gate</mark>."
    )


def test_common_words_are_not_marked() -> None:
    assert mark_terms("what is the matter", "what is the answer") == "what is the matter"


def test_the_text_around_and_inside_a_mark_is_escaped() -> None:
    assert mark_terms("<i>otter</i> & pike", "otter") == (
        "&lt;i&gt;<mark>otter</mark>&lt;/i&gt; &amp; pike"
    )


def test_a_question_of_signs_only_marks_nothing() -> None:
    assert mark_terms("(a+b)*", "*** (+)") == "(a+b)*"
