package store

import "sync"

// Notify notifies the subscribers of a topic, on this node and on others, once the
// transaction has committed. A notification carries no data: subscribers read the
// tables again, so a lost or repeated one does no harm.
func (tx *Tx) Notify(topic string) { tx.topics = append(tx.topics, topic) }

// JourneyTopic is the topic of a journey.
func JourneyTopic(id string) string { return "journey:" + id }

// AuthenticatorTopic is the topic of an authenticator and the pushes to it.
func AuthenticatorTopic(id string) string { return "authenticator:" + id }

// UserTopic is the topic of a user.
func UserTopic(id string) string { return "user:" + id }

// OutboxTopic is notified when a message was queued.
const OutboxTopic = "outbox"

// CodeRequestTopic is notified when a journey asked for a code by mail.
const CodeRequestTopic = "code requests"

// Subscribe returns a channel that receives after each notification of a topic, and a
// function that ends the subscription. Notifications that come while one waits in the
// channel are merged with it.
func (db *DB) Subscribe(topic string) (notified <-chan struct{}, stop func()) {
	return db.bus.subscribe(topic)
}

type bus struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]bool
}

func newBus() *bus { return &bus{topics: make(map[string]map[chan struct{}]bool)} }

func (b *bus) subscribe(topic string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[topic] == nil {
		b.topics[topic] = make(map[chan struct{}]bool)
	}
	b.topics[topic][c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.topics[topic], c)
		if len(b.topics[topic]) == 0 {
			delete(b.topics, topic)
		}
	}
}

func (b *bus) notify(topics ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range topics {
		for c := range b.topics[t] {
			signal(c)
		}
	}
}

func (b *bus) notifyAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, subscribers := range b.topics {
		for c := range subscribers {
			signal(c)
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}
