"""How the pages of codes, priors and comparisons look."""

from ganvas.compare.show.svg import DARK, LIGHT, style

STYLE = f"""
body {{ {LIGHT} }} body.body--dark {{ {DARK} }}
.card {{ border: 1px solid var(--rule); border-radius: 8px; min-width: 0; padding: 1rem; width: 100%; }}
.sections {{ display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); width: 100%; }}
.card .q-btn {{ text-transform: none; }} .tools {{ gap: .6rem 1rem; }}
.heading {{ font-size: 1.1rem; font-weight: 600; min-width: 5rem; }} .soft {{ color: var(--soft); }}
.numbers {{ font-variant-numeric: tabular-nums; margin: .5rem 0; }} .note {{ overflow-wrap: anywhere; }}
.link {{ color: var(--c0); text-decoration: underline; }}

.figures {{ display: grid; gap: 1rem; grid-template-columns: repeat(4, minmax(0, 1fr)); margin-top: .8rem;
  max-width: 1100px; }}
.grids {{ grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); max-width: none; }}
@media (max-width: 700px) {{ .figures:not(.grids) {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }} }}
figure {{ margin: 0; min-width: 0; }} figure > img {{ display: block; width: 100%; }}
figcaption {{ color: var(--soft); font-size: .85rem; line-height: 1.3; overflow-wrap: anywhere; }}
figure.small > img {{ height: 48px; width: 48px; }} figure.wide {{ margin-top: .8rem; }}
figure.wide > img {{ max-width: 720px; }} .pixels, .cells img {{ image-rendering: pixelated; }}

.figures.along {{ grid-template-columns: repeat(3, minmax(0, 1fr)); max-width: none; }}
.along > .whole, .along > .wide {{ grid-column: 1 / -1; margin: 0; order: 1; }}
.along > .wide > img {{ max-height: 9rem; max-width: none; }}
@media (max-width: 700px) {{ .figures.along {{ grid-template-columns: minmax(0, 1fr); }} }}
.tools > figure {{ max-width: 16rem; }} .tools > figure > pre {{ max-height: 6rem; }}
.gallery {{ grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); max-width: none; }}
@media (max-width: 700px) {{ .figures.gallery {{ grid-template-columns: minmax(0, 1fr); }} }}
figure > audio {{ display: block; height: 36px; margin-top: .3rem; max-width: 100%; width: 100%; }}
figure > pre {{ background: color-mix(in srgb, var(--soft) 12%, transparent); border-radius: 4px;
  font-family: monospace; font-size: .8rem; margin: 0; max-height: 22rem; overflow: auto;
  overflow-wrap: anywhere; padding: .5rem; white-space: pre-wrap; }}

.cells {{ width: 100%; }} .cells img {{ cursor: crosshair; }}
.cells:focus {{ outline: 3px solid var(--c0); outline-offset: 2px; }}
.cells rect {{ fill: none; stroke: #ffffff; stroke-width: 2px; vector-effect: non-scaling-stroke; }}
.cells rect.under {{ stroke: #000000; stroke-width: 5px; }}
.cells rect.region {{ stroke-dasharray: 6 4; }} .cells rect.region.under {{ stroke-dasharray: none; }}
.palette {{ gap: .4rem; }}
.chip {{ font-variant-numeric: tabular-nums; }}
.chip .q-btn__content::before {{ background: var(--chip); border: 1px solid var(--soft); content: "";
  height: 16px; margin-right: 6px; width: 16px; }}
.chip.chosen {{ box-shadow: 0 0 0 2px var(--c0); }}

.upload {{ max-width: 100%; width: 13rem; }} .upload .q-uploader__header-content {{ padding: 2px 8px; }}
.upload .q-uploader__list, .upload .q-uploader__subtitle {{ display: none; }}
.command {{ background: color-mix(in srgb, var(--soft) 12%, transparent); border-radius: 4px;
  font-family: monospace; font-size: .85rem; margin-top: .6rem; overflow-wrap: anywhere;
  padding: .4rem .6rem; user-select: all; }}
.command:empty {{ display: none; }}

.compare td.variant {{ min-width: 16rem; overflow-wrap: anywhere; white-space: normal; }}
.compare td {{ font-variant-numeric: tabular-nums; }}
.charts {{ display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); }}
.legend {{ columns: 26rem; margin: .4rem 0; overflow-wrap: anywhere; }} .legend > * {{ break-inside: avoid; }}
{style()}
"""
