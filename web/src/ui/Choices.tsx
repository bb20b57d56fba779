/** Language and appearance, offered on the login page and in the settings. */

import { SegmentedControl, Select, useMantineColorScheme } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { chooseLanguage, type Language, languages } from "../i18n";
import { IconLanguage } from "./icons";

export function LanguageChoice() {
  const { t, i18n } = useTranslation();
  return (
    <Select
      label={t("language.label")}
      data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
      value={i18n.language}
      onChange={(value) => value !== null && void chooseLanguage(value as Language)}
      allowDeselect={false}
      leftSection={<IconLanguage size={18} aria-hidden />}
    />
  );
}

export function ThemeChoice() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const schemes = ["light", "dark", "auto"] as const;
  return (
    <SegmentedControl
      fullWidth
      aria-label={t("theme.label")}
      data={schemes.map((value) => ({ value, label: t(`theme.${value}`) }))}
      value={colorScheme}
      onChange={(value) => setColorScheme(value as (typeof schemes)[number])}
    />
  );
}
