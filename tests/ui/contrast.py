"""How well a page can be read: the contrast of each text and bar with what is behind it, as WCAG 2 counts it."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

# What is drawn behind a text is put together from the outermost element inwards. Left out: signs of icon fonts, what is
# not shown, and what can't be used at the moment.
_MEASURE = """
() => {
  const numbers = (color) => {
    const found = (color.match(/[\\d.]+(e-?\\d+)?/g) || []).map(Number);
    const scale = color.startsWith("color(") ? 255 : 1;
    return {rgb: found.slice(0, 3).map((one) => one * scale), alpha: found.length > 3 ? found[3] : 1};
  };
  const over = (top, alpha, below) => top.map((one, at) => one * alpha + below[at] * (1 - alpha));
  const luminance = (rgb) => {
    const linear = rgb.map((one) => one / 255)
      .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const measured = (element, own) => {
    const above = [];
    for (let one = element; one; one = one.parentElement) above.unshift(getComputedStyle(one));
    let behind = [255, 255, 255], opacity = 1;
    for (const style of above) {
      opacity *= Number(style.opacity);
      const {rgb, alpha} = numbers(style.backgroundColor);
      behind = over(rgb, alpha * opacity, behind);
    }
    const {rgb, alpha} = numbers(own.color);
    const [low, high] = [luminance(over(rgb, alpha * opacity, behind)), luminance(behind)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    const skipped = "style, script, svg, noscript, [data-testid=stIconMaterial], :disabled, :disabled *";
    if (!text || element.closest(skipped) || !element.checkVisibility({visibilityProperty: true})) continue;
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    if (range.getBoundingClientRect().width < 2) continue;
    const where = element.className || element.tagName;
    found.push({text: text.slice(0, 60), where, ratio: measured(element, getComputedStyle(element))});
  }
  for (const element of document.querySelectorAll(".plumb-bar span")) {
    const own = {color: getComputedStyle(element).backgroundColor};
    found.push({text: "(bar)", where: element.parentElement.className, ratio: measured(element.parentElement, own)});
  }
  for (const element of document.querySelectorAll(":placeholder-shown:enabled")) {
    const own = getComputedStyle(element, "::placeholder");
    found.push({text: element.placeholder, where: element.tagName, ratio: measured(element, own)});
  }
  return found;
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A text, the classes of its element, and its contrast: 1 is none, 21 black on white."""

    text: str
    where: str
    ratio: float


def contrasts(page: Page) -> list[Contrast]:
    """The contrast of every text that is shown."""
    return [Contrast(**found) for found in page.evaluate(_MEASURE)]
