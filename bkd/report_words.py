"""How a report names settings, groups and repetitions."""

from collections.abc import Iterable, Sequence
from math import floor, isfinite, log10
from typing import Any

from bkd.report_groups import Group, Section, Settings, varying
from bkd.stats import MeanInterval
from bkd.text import clean, count, number


def section_title(section: Section, shown: Sequence[str]) -> str:
    """Return what all groups of a section share: "cifar100, resnet50 → vgg_c8, 45,000 training images".

    Args:
        section: The section.
        shown: Names of the settings that tell it from the report's other sections.
    """
    like, settings = section.like, dict(section.like.settings)
    parts = [like.dataset, f"{like.arch} → {like.student_arch}"]
    if section.images is not None:
        parts.append(count(section.images, "training image"))
    parts += [setting_text(name, settings.get(name)) for name in shown]
    return clean(", ".join(parts))


def group_setting(group: Group, shown: Sequence[str]) -> str:
    """Return Tt:Ts:alpha, the draws, and what sets a group apart from others of its kind: "4:1:0.7 S=1 vi=ffg".

    Args:
        group: The group.
        shown: Names of the teachers' settings that tell it from the others.
    """
    like = group.like
    parts = [":".join("-" if value is None else f"{value:g}" for value in like.setting)]
    if like.num_samples is not None:
        parts.append(f"S={like.num_samples}")
    if like.teacher_settings is None:
        parts.append("teacher deleted")
    else:
        settings = dict(like.teacher_settings)
        parts += [setting_text(f"teacher's {name}", settings.get(name)) for name in shown]
    return clean(" ".join(parts))


def telling(all_settings: Iterable[Settings | None]) -> list[str]:
    """Return a few settings that tell these apart as well as all of them do, short names first.

    An `epochs` that differs moves other settings with it; one of them is enough to know which is which.
    """
    known = [dict(settings) for settings in all_settings if settings is not None]
    names = sorted(varying(tuple(settings.items()) for settings in known), key=lambda name: (len(name), name))

    def kinds_told(chosen: Sequence[str]) -> int:
        return len({tuple(settings.get(name) for name in chosen) for settings in known})

    chosen: list[str] = []
    while kinds_told(chosen) < kinds_told(names):
        chosen.append(max(names, key=lambda name: kinds_told([*chosen, name])))
    return chosen


def setting_text(name: str, value: Any) -> str:
    """Return a setting as "epochs=20"."""
    return f"{name}={value_text(value)}"


def value_text(value: Any) -> str:
    """Return a setting's value: "100,150", "0.001", "-" for nothing."""
    if isinstance(value, tuple):
        return ",".join(map(value_text, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is None else str(value)


def n_text(group: Group) -> str:
    """Return how many repetitions there are, in words that say what was repeated."""
    students, teachers = len(group.students), group.teachers
    if students == teachers:
        return count(teachers, "teacher")
    return f"{count(students, 'student')} of {count(teachers, 'teacher')}"


# ---- numbers


def plus_minus(found: MeanInterval | None, percent_digits: int | None = None) -> str:
    """Return "0.382 ± 0.012", of one repetition the mean alone.

    Args:
        found: The interval; "-" for None.
        percent_digits: Decimals of a share, which is shown in percent without its sign; None of another number.
    """
    if found is None:
        return "-"
    is_percent = percent_digits is not None
    mean = found.mean * (100 if is_percent else 1)
    if found.half is None:
        return fixed(mean, percent_digits) if is_percent else number(mean)
    half = found.half * (100 if is_percent else 1)
    digits = percent_digits if is_percent else decimals(half)
    return f"{fixed(mean, digits)} ± {fixed(half, digits)}"


def signed(values: Sequence[float | None], *, is_percent: bool = False) -> str:
    """Return a difference and, where both are known, its interval: "+0.52 [+0.10, +0.94]"."""
    scale = 100 if is_percent else 1
    known = [value * scale for value in values if value is not None]
    width = known[2] - known[1] if len(known) == 3 else abs(known[0])
    digits = 2 if is_percent else decimals(width)
    texts = [fixed(value, digits, sign="+") for value in known]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]" if len(texts) == 3 else texts[0]


def fixed(value: float, digits: int | None, sign: str = "") -> str:
    """Return a number with so many decimals, of None with three significant digits; what rounds to 0 has no minus."""
    return f"{value:{sign}.3g}" if digits is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def decimals(uncertainty: float) -> int | None:
    """Return the decimals that show two digits of an uncertainty; None where more than six would be needed."""
    if uncertainty == 0 or not isfinite(uncertainty):
        return 4
    digits = max(0, 1 - floor(log10(abs(uncertainty))))
    return digits if digits <= 6 else None


def p_text(p: float | None) -> str:
    """Return a p value: "0.021", "<0.001"."""
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"
