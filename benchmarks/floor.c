/* The floor: what a server has to do at least. It reads a request, waits, and sends the answer
 * that boomerang would have sent; it remembers nothing and checks nothing.
 *
 *     floor PORT WAIT_MILLISECONDS ANSWER_FILE
 *
 * The answer has twelve zeros where the number of the request goes, which is what follows "app-" in
 * its body. Requests of the method GET are answered at once: they ask whether it is ready.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 12, LARGEST = 65536, DESCRIPTORS = 1 << 17, EVENTS = 1024, BACKLOG = 4096 };

struct connection {
    char *part;         /* of a request that has not arrived as a whole */
    uint32_t length;    /* of the part */
    uint32_t opened;    /* how often this descriptor has been a connection */
    char number[DIGITS];
};

struct held {
    int64_t due;
    int descriptor;
    uint32_t opened;    /* an entry for an earlier connection is void */
};

static struct connection connections[DESCRIPTORS];
static struct held queue[DESCRIPTORS];  /* all wait equally long: first in, first out */
static uint64_t first, last;
static char answer[4096];
static size_t answer_length, answer_number;
static int poller;

static int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void hang_up(int descriptor) {
    struct connection *connection = &connections[descriptor];
    free(connection->part);
    connection->part = NULL;
    connection->length = 0;
    connection->opened++;
    close(descriptor);
}

static void send_answer(int descriptor) {
    memcpy(answer + answer_number, connections[descriptor].number, DIGITS);
    if (send(descriptor, answer, answer_length, MSG_NOSIGNAL) != (ssize_t)answer_length)
        hang_up(descriptor);
}

/* Whether the text, which ends with a zero, is a whole request. */
static int is_whole(const char *text, size_t length) {
    const char *end = strstr(text, "\r\n\r\n");
    const char *header = strcasestr(text, "\r\nContent-Length:");
    if (!end)
        return 0;
    size_t body = header && header < end ? strtoul(header + 17, NULL, 10) : 0;
    return length >= (size_t)(end + 4 - text) + body;
}

static void receive(int descriptor, int64_t wait) {
    static char text[LARGEST + 1];
    struct connection *connection = &connections[descriptor];
    size_t length = connection->length;
    if (length)
        memcpy(text, connection->part, length);
    ssize_t count = recv(descriptor, text + length, LARGEST - length, 0);
    if (count <= 0) {
        hang_up(descriptor);
        return;
    }
    length += count;
    text[length] = 0;
    free(connection->part);
    connection->part = NULL;
    connection->length = 0;
    if (!is_whole(text, length)) {
        connection->part = malloc(length);
        memcpy(connection->part, text, length);
        connection->length = length;
        return;
    }
    const char *number = strstr(text, "app-");
    if (number && number + 4 + DIGITS <= text + length)
        memcpy(connection->number, number + 4, DIGITS);
    if (wait == 0 || text[0] == 'G')
        send_answer(descriptor);
    else
        queue[last++ % DESCRIPTORS] =
            (struct held){milliseconds() + wait, descriptor, connection->opened};
}

static void accept_all(int listener) {
    int descriptor, yes = 1;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (descriptor >= DESCRIPTORS || epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event))
            close(descriptor);
    }
}

static int listen_at(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG))
        die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    return listener;
}

static void read_answer(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file)
        die(name);
    answer_length = fread(answer, 1, sizeof answer - 1, file);
    fclose(file);
    char *number = strstr(answer, "000000000000");
    if (!number)
        die("no number in the answer");
    answer_number = number - answer;
}

/* Answer what is due; return how long to wait for the next, -1 for as long as it takes. */
static int release(void) {
    int64_t now = milliseconds();
    for (; first != last && queue[first % DESCRIPTORS].due <= now; first++) {
        struct held *held = &queue[first % DESCRIPTORS];
        if (connections[held->descriptor].opened == held->opened)
            send_answer(held->descriptor);
    }
    return first == last ? -1 : (int)(queue[first % DESCRIPTORS].due - now);
}

int main(int count, char **arguments) {
    static struct epoll_event events[EVENTS];
    struct rlimit files;
    if (count != 4)
        die("usage: floor PORT WAIT_MILLISECONDS ANSWER_FILE");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    read_answer(arguments[3]);
    poller = epoll_create1(0);
    int listener = listen_at(atoi(arguments[1]));
    int64_t wait = atoll(arguments[2]);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, release());
        for (int index = 0; index < ready; index++) {
            if (events[index].data.fd == listener)
                accept_all(listener);
            else
                receive(events[index].data.fd, wait);
        }
    }
}
