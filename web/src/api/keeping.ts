/** How long recordings are kept, and what goes when. */

import { ask, queryString } from "./client";
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Keeping = Schemas["KeepingView"];
export type KeepingChange = Schemas["KeepingChange"];
export type Forecast = Schemas["ForecastView"];
export type Going = Schemas["GoingView"];

export const keeping = {
  read: (signal?: AbortSignal) => ask<Keeping>("GET", "/settings/keeping", { signal }),
  /** Only for admins. */
  change: (body: KeepingChange) => ask<Keeping>("PUT", "/settings/keeping", { body }),
  forecast: (withinDays: number, signal?: AbortSignal) =>
    ask<Forecast>(
      "GET",
      `/settings/keeping/forecast${queryString({ within_days: withinDays })}`,
      { signal },
    ),
  /** As if recordings were kept for so many days; null: for two years. */
  forecastIf: (days: number | null, withinDays: number, signal?: AbortSignal) =>
    ask<Forecast>(
      "GET",
      `/settings/keeping/forecast${queryString({
        within_days: withinDays,
        if_days: days ?? undefined,
        if_two_years: days === null,
      })}`,
      { signal },
    ),
};
