r"""Interactive charts as specifications of Vega-Lite, in colors that suit light and
dark pages.
"""

import json
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import altair as alt

INSTALL = "A report needs 'altair' and more: pip install 'lgmrec_pyg[report]'"
COLORS = ['#4c78a8', '#f58518', '#54a24b', '#e45756', '#72b7b2', '#b279a2', '#9d755d']
GRAY = '#888888'
INK = 'currentColor'  # That of the text around a chart.
CONFIG: dict[str, Any] = {
    'background': 'transparent',
    'font': 'system-ui, sans-serif',
    'view': {'stroke': None},
    'axis': {
        'labelColor': INK,
        'titleColor': INK,
        'gridColor': INK,
        'domainColor': INK,
        'tickColor': INK,
        'gridOpacity': 0.12,
        'domainOpacity': 0.4,
        'tickOpacity': 0.4,
        'titleFontWeight': 'normal',
        'labelOverlap': True,
    },
    'legend': {'labelColor': INK, 'titleColor': INK, 'orient': 'top', 'title': None},
    'title': {'color': INK, 'anchor': 'start', 'fontSize': 13},
}


class Charts:
    r"""The charts of one page, in which every series has the same color.

    Args:
        series (List[str]): The names of runs.
        baselines (List[str]): The names of what they are compared to, which is gray.

    Raises:
        ImportError: If :obj:`altair` is not installed.
    """

    def __init__(self, series: list[str], baselines: list[str]) -> None:
        try:
            import altair
        except ImportError as error:
            raise ImportError(INSTALL) from error
        self.alt = altair
        self.colors = dict(zip(series, cycle(COLORS), strict=False))
        self.colors |= dict.fromkeys(baselines, GRAY)

    def intervals(
        self, frame: pd.DataFrame, row: str, title: str, x: str
    ) -> dict[str, Any]:
        r"""Means with their intervals, a row of the chart for every value of a
        column, and within it one for every series.

        Args:
            frame (pandas.DataFrame): The columns :obj:`row`, :obj:`series`,
                :obj:`mean`, :obj:`low` and :obj:`high`.
            row (str): The name of the column.
            title (str): The title of the chart.
            x (str): The title of its horizontal axis.
        """
        alt = self.alt
        base = self._chart(frame, title).encode(
            y=alt.Y(f'{row}:N', title=None, sort=None),
            yOffset=alt.YOffset('series:N', sort=None),
            color=self._color(frame),
            tooltip=self._tooltip(row),
        )
        rule = base.mark_rule(strokeWidth=2).encode(
            x=alt.X(
                'low:Q',
                title=x,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(tickCount=8),
            ),
            x2='high:Q',
        )
        point = base.mark_point(filled=True, size=70, opacity=1).encode(x='mean:Q')
        height = 30 + 22 * len(frame)
        return self._spec(rule + point, height=height)

    def groups(self, frame: pd.DataFrame, title: str, x: str, y: str) -> dict[str, Any]:
        r"""Means with their intervals by group, from left to right.

        Args:
            frame (pandas.DataFrame): The columns :obj:`group`, :obj:`series`,
                :obj:`count`, :obj:`mean`, :obj:`low` and :obj:`high`.
            title (str): The title of the chart.
            x (str): The title of its horizontal axis.
            y (str): The title of its vertical axis.
        """
        alt = self.alt
        base = self._chart(frame, title).encode(
            x=alt.X('group:N', title=x, sort=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset('series:N', sort=None),
            color=self._color(frame),
            tooltip=[*self._tooltip('group'), alt.Tooltip('count:Q')],
        )
        rule = base.mark_rule(strokeWidth=2).encode(
            y=alt.Y('low:Q', title=y), y2='high:Q'
        )
        point = base.mark_point(filled=True, size=70, opacity=1).encode(y='mean:Q')
        return self._spec(rule + point)

    def curves(
        self, frame: pd.DataFrame, title: str, best: pd.DataFrame | None = None
    ) -> dict[str, Any]:
        r"""A value by epoch.

        Args:
            frame (pandas.DataFrame): The columns :obj:`series`, :obj:`epoch` and
                :obj:`value`.
            title (str): The title of the chart.
            best (pandas.DataFrame, optional): The best epochs, in the columns
                :obj:`series` and :obj:`epoch`. (default: :obj:`None`)
        """
        alt = self.alt
        value = alt.Y('value:Q', title=None, scale=alt.Scale(zero=False))
        epoch = alt.X('epoch:Q', title='epoch', axis=alt.Axis(tickMinStep=1))
        chart = self._chart(frame, title).mark_line(point={'size': 12})
        chart = chart.encode(
            x=epoch,
            y=value,
            color=self._color(frame),
            tooltip=['series:N', 'epoch:Q', alt.Tooltip('value:Q', format='.4f')],
        )
        if best is not None and len(best) > 0:
            rule = self._chart(best).mark_rule(strokeDash=[4, 4])
            chart = chart + rule.encode(x='epoch:Q', color=self._color(frame))
        return self._spec(chart)

    def bars(
        self,
        frame: pd.DataFrame,
        title: str,
        x: str,
        y: str,
        color: str = 'series',
        horizontal: bool = False,
    ) -> dict[str, Any]:
        r"""Bars beside each other, or stacked ones if they lie.

        Args:
            frame (pandas.DataFrame): The columns :obj:`group`, :obj:`value` and that
                of :obj:`color`.
            title (str): The title of the chart.
            x (str): The title of the axis of groups.
            y (str): The title of the axis of values.
            color (str, optional): The column that colors bars.
                (default: :obj:`"series"`)
            horizontal (bool, optional): If set to :obj:`True`, bars lie.
                (default: :obj:`False`)
        """
        alt = self.alt
        tooltip = ['group:N', f'{color}:N', alt.Tooltip('value:Q', format='.4~g')]
        base = self._chart(frame, title).mark_bar()
        base = base.encode(color=self._color(frame, color), tooltip=tooltip)
        if horizontal:
            chart = base.encode(
                x=alt.X('value:Q', title=y), y=alt.Y('group:N', title=None, sort=None)
            )
            return self._spec(chart, height=40 + 28 * frame['group'].nunique())
        axis = alt.Axis(labelAngle=0)
        chart = base.encode(
            x=alt.X('group:N', title=x, sort=None, axis=axis),
            xOffset=alt.XOffset(f'{color}:N', sort=None),
            y=alt.Y('value:Q', title=y),
        )
        return self._spec(chart)

    def _chart(self, frame: pd.DataFrame, title: str | None = None) -> 'alt.Chart':
        # By way of JSON, which knows no NaN, and without a limit on rows.
        values = json.loads(frame.to_json(orient='records'))
        chart = self.alt.Chart(self.alt.Data(values=values))
        return chart if title is None else chart.properties(title=title)

    def _color(self, frame: pd.DataFrame, column: str = 'series') -> 'alt.Color':
        names = frame[column].unique().tolist()
        others = iter(COLORS)
        colors = [self.colors.get(name) or next(others, GRAY) for name in names]
        scale = self.alt.Scale(domain=names, range=colors)
        legend = self.alt.Undefined if len(names) > 1 else None
        return self.alt.Color(
            f'{column}:N', scale=scale, sort=None, title=None, legend=legend
        )

    def _tooltip(self, name: str) -> list[Any]:
        numbers = [
            self.alt.Tooltip(f'{x}:Q', format='.4f') for x in ('mean', 'low', 'high')
        ]
        return ['series:N', f'{name}:N', *numbers]

    def _spec(self, chart: Any, height: int = 240) -> dict[str, Any]:
        chart = chart.properties(width='container', height=height)
        return {**chart.to_dict(), 'config': CONFIG}


def javascript() -> str:
    r"""Returns Vega-Lite and what draws it, for a page that needs no network.

    Raises:
        ImportError: If :obj:`vl-convert-python` is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise ImportError(INSTALL) from error
    code: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    # Nothing in there may end the element that it becomes.
    return code.replace('</script', '<\\/script')
