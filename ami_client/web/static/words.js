// What the page says, in the languages that it knows.

export const WORDS = {
  en: {
    title: "Wallboard", rate: "events/s", queues: "Queues", calls: "Calls", endpoints: "Telephones",
    noQueues: "No queues.", noCalls: "No calls.", noEndpoints: "No telephones.",
    state: "State", duration: "Duration", caller: "Caller", with: "With", queue: "Queue",
    waiting: "Waiting", longest: "Longest wait", level: "Service level", agents: "Agents",
    hour: "Last hour", since: time => `Since ${time}`,
    served: (answered, abandoned) => `answered ${answered}, gave up ${abandoned}`,
    within: seconds => `target ${seconds} s`,
    more: count => `and ${count} more`,
    unreachable: time => `No connection to the wallboard since ${time}. What you see may be out of date.`,
    connecting: "Connecting to the wallboard…",
    stale: (name, time) => `${name}: no connection since ${time}. What you see of it may be out of date.`,
    syncing: name => `${name}: reading what goes on…`,
    missing: (name, lists) => `${name}: no right to ask for ${lists}.`,
    noServers: "No server is known yet.",
    themes: { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" },
    servers: { ready: "up to date", stale: "out of date", syncing: "reading" },
    states: {
      new: "New", ringing: "Ringing", queued: "Waiting", up: "Talking", held: "On hold", ended: "Ended",
      free: "Free", busy: "Busy", paused: "Paused", unavailable: "Away", unknown: "Unknown", hold: "On hold",
    },
  },
  ru: {
    title: "Табло", rate: "событий/с", queues: "Очереди", calls: "Звонки", endpoints: "Телефоны",
    noQueues: "Очередей нет.", noCalls: "Звонков нет.", noEndpoints: "Телефонов нет.",
    state: "Состояние", duration: "Время", caller: "Кто звонит", with: "С кем", queue: "Очередь",
    waiting: "Ждут", longest: "Дольше всех", level: "Уровень сервиса", agents: "Операторы",
    hour: "За час", since: time => `С ${time}`,
    served: (answered, abandoned) => `отвечено ${answered}, не дождались ${abandoned}`,
    within: seconds => `норма ${seconds} с`,
    more: count => `и ещё ${count}`,
    unreachable: time => `Нет связи с табло с ${time}. Данные могли устареть.`,
    connecting: "Подключение к табло…",
    stale: (name, time) => `${name}: нет связи с ${time}. Его данные могли устареть.`,
    syncing: name => `${name}: читаем состояние…`,
    missing: (name, lists) => `${name}: нет права запрашивать ${lists}.`,
    noServers: "Пока не известен ни один сервер.",
    themes: { auto: "Тема: авто", light: "Тема: светлая", dark: "Тема: тёмная" },
    servers: { ready: "данные свежие", stale: "данные устарели", syncing: "читаем" },
    states: {
      new: "Новый", ringing: "Вызов", queued: "Ждёт", up: "Разговор", held: "Удержание", ended: "Окончен",
      free: "Свободен", busy: "Занят", paused: "Пауза", unavailable: "Недоступен", unknown: "Неизвестно", hold: "Удержание",
    },
  },
};

export const NAMES = { en: "English", ru: "Русский" };
