/** Colours and defaults of the design. Every pair of text and ground keeps WCAG 2.2 AA. */

import { createTheme, type MantineColorsTuple } from "@mantine/core";

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

export const theme = createTheme({
  primaryColor: "brand",
  primaryShade: { light: 7, dark: 7 },
  colors: { brand },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontFamily:
    'Inter, "Segoe UI Variable Text", "Segoe UI", system-ui, -apple-system, Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  headings: {
    fontWeight: "650",
    sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.05rem" } },
  },
});
