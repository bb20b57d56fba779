/** Languages: English comes with the page, the others are loaded when chosen. */

import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import en from "./en.json";

export const languages = { en: "English", id: "Bahasa Indonesia" } as const;
export type Language = keyof typeof languages;

const KEY = "callgate.language";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
  }
}

function isLanguage(value: string | null): value is Language {
  return value !== null && value in languages;
}

/** What was chosen here before, else what the browser prefers, else English. */
function preferredLanguage(): Language {
  const chosen = window.localStorage.getItem(KEY);
  if (isLanguage(chosen)) return chosen;
  for (const tag of navigator.languages) {
    const language = tag.split("-")[0] ?? null;
    if (isLanguage(language)) return language;
  }
  return "en";
}

export async function startLanguage(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: "en",
    fallbackLng: "en",
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false },
  });
  await show(preferredLanguage());
}

export async function chooseLanguage(language: Language): Promise<void> {
  window.localStorage.setItem(KEY, language);
  await show(language);
}

async function show(language: Language): Promise<void> {
  if (language === "id" && !i18next.hasResourceBundle("id", "translation")) {
    const { default: id } = await import("./id.json");
    i18next.addResourceBundle("id", "translation", id);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
