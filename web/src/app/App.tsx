/** The app: language, theme, queries and the phone around the gate. */

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { refusalOf } from "../api/client";
import { PhoneContext } from "../phone/context";
import type { Phone } from "../phone/phone";
import { Gate } from "./Gate";
import { theme } from "./theme";

const RETRIES_MAX = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // Only what may pass by itself is tried again; a refusal stays one.
      retry: (failures, error) => {
        const { status } = refusalOf(error);
        return failures < RETRIES_MAX && (status === 0 || status >= 500);
      },
    },
  },
});

export function App({ phone }: { phone: Phone }) {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <PhoneContext value={phone}>
          <Gate />
        </PhoneContext>
      </QueryClientProvider>
    </MantineProvider>
  );
}
