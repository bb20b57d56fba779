/** Colours and defaults of the design. Every pair of text and ground keeps WCAG 2.2 AA. */

import {
  Alert,
  Badge,
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
} from "@mantine/core";

const brand: MantineColorsTuple = [
  "#e5f7f4",
  "#cfece7",
  "#a1d9d0",
  "#6fc5b7",
  "#46b5a3",
  "#2caa95",
  "#139a85",
  "#0a7c6b",
  "#08695b",
  "#04564a",
];

// Mantine's own, but for the last three: as text on white and as ground of white they were too pale.
const red: MantineColorsTuple = [
  "#fff5f5",
  "#ffe3e3",
  "#ffc9c9",
  "#ffa8a8",
  "#ff8787",
  "#ff6b6b",
  "#fa5252",
  "#c92a2a",
  "#b32424",
  "#a01f1f",
];
const orange: MantineColorsTuple = [
  "#fff4e6",
  "#ffe8cc",
  "#ffd8a8",
  "#ffc078",
  "#ffa94d",
  "#ff922b",
  "#fd7e14",
  "#b34700",
  "#a03f00",
  "#8a3600",
];

/** Our own tones: quiet grounds that keep their contrast in both appearances. */
const tones: Readonly<Record<string, string>> = {
  red: "var(--bad)",
  orange: "var(--warn)",
  yellow: "var(--warn)",
  blue: "var(--note)",
};

export const theme = createTheme({
  primaryColor: "brand",
  primaryShade: { light: 7, dark: 7 },
  colors: { brand, red, orange },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontFamily:
    'Inter, "Segoe UI Variable Text", "Segoe UI", system-ui, -apple-system, Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  components: {
    Badge: Badge.extend({ defaultProps: { tt: "none" } }),
    Alert: Alert.extend({
      vars: (_theme, { color }) => {
        const tone = tones[color ?? "blue"] ?? "var(--note)";
        return {
          root: {
            "--alert-bg": `color-mix(in srgb, ${tone} 9%, var(--panel))`,
            "--alert-bd": `1px solid color-mix(in srgb, ${tone} 38%, var(--panel))`,
            "--alert-color": tone,
          },
        };
      },
    }),
  },
  headings: {
    fontWeight: "650",
    sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.05rem" } },
  },
});

/** Mantine's own dimmed text is too faint for WCAG AA on our panels. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: { "--mantine-color-dimmed": "var(--quiet)" },
  dark: { "--mantine-color-dimmed": "var(--quiet)" },
});
